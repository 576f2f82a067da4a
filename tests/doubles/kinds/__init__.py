"""The kinds of AWS resources that the provider's double knows, each kept in moto."""
