"""How events flow: intake, chart fold, monitor, replay and the command line."""
