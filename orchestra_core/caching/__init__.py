"""Whether an answer may be given a second time, under which name it is kept, and what is dropped for others."""
