# The debhelper sequence of "dh --with temper".
use warnings;
use strict;
use Debian::Debhelper::Dh_Lib;

insert_before('dh_installsystemd', 'dh_temper');

1;
