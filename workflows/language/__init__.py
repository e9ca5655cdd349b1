"""What a journey is: its definition, how it is read, checked and said in words. Nothing here changes anything."""
