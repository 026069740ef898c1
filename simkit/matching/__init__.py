"""Truth ↔ picks: who found whom."""
