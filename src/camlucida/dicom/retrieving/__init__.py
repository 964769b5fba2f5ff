"""What others retrieve of an instance (PS3.18 10.4): metadata, frames, and it all as Explicit VR."""
