"""What the console can make the engine do: one module per subject that makes deeds, all done by the one gate."""
