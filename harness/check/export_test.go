package check

// Argument reads text as a value of the type that a service says its method takes.
var Argument = argument
