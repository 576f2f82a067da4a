"""Stand-ins for clouds: served over HTTP on 127.0.0.1, so that the real adapters speak to them."""
