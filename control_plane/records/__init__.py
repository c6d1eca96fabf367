"""What becomes of an answer: kept before it is given, spooled, too old, erased."""
