package lifecycle

// errorList is a list of errors that prints as one line, with the original cause first. errors.Is reaches all of
// them.
type errorList []error

// Error joins the messages with "; and ".
func (l errorList) Error() string {
	text := ""
	for i, err := range l {
		if i > 0 {
			text += "; and "
		}
		text += err.Error()
	}
	return text
}

// Unwrap returns every error of the list.
func (l errorList) Unwrap() []error { return l }

// Join is like errors.Join, but its message is one line.
func Join(errs ...error) error {
	var l errorList
	for _, err := range errs {
		if err != nil {
			l = append(l, err)
		}
	}
	switch len(l) {
	case 0:
		return nil
	case 1:
		return l[0]
	}
	return l
}
