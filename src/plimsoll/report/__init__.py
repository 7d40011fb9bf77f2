"""What a person sees of a run: pictures, the HTML report, and traces for a viewer."""
