package oci

type Limits struct{}

func (c *conversion) resources() error { return nil }
