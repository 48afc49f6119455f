"""The vocabulary: values, records, effects, steps, actions, plans and errors. No I/O happens in this package."""
