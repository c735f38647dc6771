"""The migrations, one file each, by number. One that was released is never changed."""
