"""What an ADT message changes: visits, merges and the census, and who was newly admitted; no clock, no database."""
