"""One module per species; `paint` draws one plant, 1 unit tall, standing at the pen's origin."""
