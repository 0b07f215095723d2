package words

// It answers a request.
func answerOf(request string) string { return request }
