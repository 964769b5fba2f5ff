"""De-identification by the Basic Application Level Confidentiality Profile (PS3.15 Annex E), and its check.

Why our own, and not a library (looked at in November 2026): `dicom-anonymizer` 2.1 keeps the standard's table
well, but applies it to the first level of a data set only, leaves a dummy date wherever one is to be removed,
and makes UIDs that no other run can make again; `dicognito` 0.19 does not follow the table; `deid` 0.4
executes recipes and leaves what no recipe names; `idiscore` is under the GPL. None looks what is left.
So the table is a file here (`profile.csv`: table E.1-1 of PS3.15 2026c, with the columns of the options that
are offered), and a test holds it against the one of `dicom-anonymizer`.
"""
