"""The commands of ``course``, one module for each idea. Importing them imports nothing heavy."""
