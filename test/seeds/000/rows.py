"""URL QUERY [PARAMETER]: prints the rows of a query, and the types of their columns."""
import json
import sys

import psycopg
from psycopg.rows import dict_row

url, query, *parameters = sys.argv[1:]
with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
    cursor = connection.execute(query, parameters)
    types = {column.name: column.type_display for column in cursor.description}
    print(json.dumps({"types": types, "rows": cursor.fetchall()}, default=str))
