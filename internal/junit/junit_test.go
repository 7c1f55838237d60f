package junit_test

import (
	"os"

	"temper/internal/junit"
)

func ExampleWrite() {
	junit.Write(os.Stdout, []junit.Suite{{Name: "web.service", Seconds: 1.5, Cases: []junit.Case{
		{Class: "web.service", Name: "works hardened"},
		{
			Class: "web.service", Name: "PrivateTmp=yes",
			Failure: &junit.Text{Message: "demoted to off", Details: "check: no answer"},
		},
		{Class: "web.service", Name: "exposure", Skipped: &junit.Text{Message: "waived"}, Out: "4.2"},
	}}})
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <testsuites>
	//   <testsuite name="web.service" tests="3" failures="1" errors="0" skipped="1" time="1.5">
	//     <testcase classname="web.service" name="works hardened"></testcase>
	//     <testcase classname="web.service" name="PrivateTmp=yes">
	//       <failure message="demoted to off">check: no answer</failure>
	//     </testcase>
	//     <testcase classname="web.service" name="exposure">
	//       <skipped message="waived"></skipped>
	//       <system-out>4.2</system-out>
	//     </testcase>
	//   </testsuite>
	// </testsuites>
}
