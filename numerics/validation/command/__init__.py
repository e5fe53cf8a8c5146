"""The console command ``gegenflow``."""
