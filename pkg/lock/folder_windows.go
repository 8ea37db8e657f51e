package lock

// CheckFolder leaves it to the access list of the user's profile, where the locks are.
func CheckFolder(string) error { return nil }
