"""A small EHR: a web page that opens charts, calls the bedside door as a browser does, and shows its cards."""
