"""A whole cloud on loopback: simulators of vendors, and real local servers behind them."""
