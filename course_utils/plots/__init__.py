"""Every figure of the course, one module per topic, in one house style (``style``).

Functions take tensors and return plotly figures. Titles state the finding; axes say what they measure.
"""
