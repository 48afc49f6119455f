"""Train, export, quantise and evaluate the shipped models from the corpus we author: `python -m nlsh.modelkit build`."""
