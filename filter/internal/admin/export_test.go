package admin

// Paths are the paths of all endpoints.
func Paths() (paths []string) {
	for i := range endpoints {
		paths = append(paths, endpoints[i].path)
	}
	return paths
}
