"""PostgreSQL: the pool, the migrations, and each table's statements, one function each."""
