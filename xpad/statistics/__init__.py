"""What the labels say of the data.

Three ideas, apart: a key is the bin that a record belongs to (`keys`: its label, its run, or any
other whole number); sums are what is added to a bin, merged by `+` (`sums`: counts, PADs, spectra);
an entry is what sums become (`catalogue`, `spectrogram`). Something new to say of the data is a new
key or entry, summed as all others are, in memory, out of core, or while labels are written.
"""
