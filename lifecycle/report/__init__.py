"""One fleet's page: HTML that needs nothing but itself. `page.py` puts it together."""
