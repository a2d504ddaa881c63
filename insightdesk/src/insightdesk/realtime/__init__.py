"""Live notifications over Socket.IO, and the inbox behind them."""
