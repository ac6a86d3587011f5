"""An example harness: LoadGen asks, one class is answered."""
