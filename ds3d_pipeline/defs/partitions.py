"""Every capture is a partition."""

import dagster as dg

captures = dg.DynamicPartitionsDefinition(name="captures")
