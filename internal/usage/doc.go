// Package usage converts the statistics of containers to what people and monitoring systems read: rates from two
// samples, a table, and metrics in the OpenMetrics text format. It is pure: package lifecycle reads the statistics.
package usage
