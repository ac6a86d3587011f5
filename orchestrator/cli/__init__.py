"""The command line: parse flags, call one controller function, render its value. Decides nothing."""
