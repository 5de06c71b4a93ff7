"""What an instructor chooses of the labs (course.json), and what is made of it for the students."""
