"""The demo clinic: nobody in it exists, and every address in it is one that cannot."""
