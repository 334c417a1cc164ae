"""What the command line shows and reads; without Dagster."""
