"""One file a migration, by number. One that was released is never changed."""
