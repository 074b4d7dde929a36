#include "core/mail/date.h"

#include <doctest/doctest.h>

#include "tests/mail/support.h"

using namespace twinpost::mail;

namespace {

// Seconds and zone in one line.
std::string read(std::string_view text) {
  const auto date = parse_date(text);
  if (!date) return "none";
  return format_date(date->seconds, date->zone_minutes) + (date->zone_known ? "" : "?");
}

}  // namespace

TEST_CASE("the dates of RFC 5322 appendix A are read") {
  CHECK(parse_date("Fri, 21 Nov 1997 09:55:06 -0600") == DateTime{880127706, -360, true});
  CHECK(read("Fri, 21 Nov 1997 09:55:06 -0600") == "Fri, 21 Nov 1997 09:55:06 -0600");
  CHECK(read("Tue, 1 Jul 2003 10:52:37 +0200") == "Tue, 01 Jul 2003 10:52:37 +0200");
  CHECK(read("Thu, 13 Feb 1969 23:32:54 -0330") == "Thu, 13 Feb 1969 23:32:54 -0330");
  CHECK(read("Mon, 24 Nov 1997 14:22:01 -0800") == "Mon, 24 Nov 1997 14:22:01 -0800");
  CHECK(read(" Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
             "               -0330 (Newfoundland Time)") == "Thu, 13 Feb 1969 23:32:00 -0330");
  CHECK(read("21 Nov 97 09:55:06 GMT") == "Fri, 21 Nov 1997 09:55:06 +0000");
  CHECK(read("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600") ==
        "Fri, 21 Nov 1997 09:55:06 -0600");
}

TEST_CASE("obsolete zones and years mean what RFC 5322 4.3 says") {
  CHECK(read("1 Jan 2000 00:00:00 EST") == "Sat, 01 Jan 2000 00:00:00 -0500");
  CHECK(read("1 Jan 2000 00:00:00 PDT") == "Sat, 01 Jan 2000 00:00:00 -0700");
  CHECK(read("1 Jan 2000 00:00:00 A") == "Sat, 01 Jan 2000 00:00:00 +0000?");
  CHECK(read("1 Jan 2000 00:00:00 XYZ") == "Sat, 01 Jan 2000 00:00:00 +0000?");
  CHECK(read("1 Jan 2000 00:00:00 -0000") == "Sat, 01 Jan 2000 00:00:00 +0000?");
  CHECK(read("1 Jan 2000 00:00:00 Z") == "Sat, 01 Jan 2000 00:00:00 +0000");
  CHECK(read("1 Jan 49 00:00 UT") == "Fri, 01 Jan 2049 00:00:00 +0000");
  CHECK(read("1 Jan 50 00:00 UT") == "Sun, 01 Jan 1950 00:00:00 +0000");
  CHECK(read("1 Jan 103 00:00 UT") == "Wed, 01 Jan 2003 00:00:00 +0000");
}

TEST_CASE("common broken dates are read") {
  CHECK(read("Fri Nov 21 09:55:06 1997") == "Fri, 21 Nov 1997 09:55:06 +0000?");
  CHECK(read("Fri Nov 21 09:55:06 PST 1997") == "Fri, 21 Nov 1997 09:55:06 -0800");
  CHECK(read("21-Nov-1997 09:55:06 +0100") == "Fri, 21 Nov 1997 09:55:06 +0100");
  CHECK(read("21-Nov-97 09:55") == "Fri, 21 Nov 1997 09:55:00 +0000?");
  CHECK(read("1997-11-21T09:55:06Z") == "Fri, 21 Nov 1997 09:55:06 +0000");
  CHECK(read("1997-11-21T09:55:06.123+02:00") == "Fri, 21 Nov 1997 09:55:06 +0200");
  CHECK(read("1997-11-21 09:55:06 +0200") == "Fri, 21 Nov 1997 09:55:06 +0200");
  CHECK(read("Fri, 21 November 1997 09:55:06 GMT+0200") == "Fri, 21 Nov 1997 09:55:06 +0200");
  CHECK(read("Fri, 21 Nov 1997 09:55:06 +0200 (CEST)") == "Fri, 21 Nov 1997 09:55:06 +0200");
  CHECK(read("Fri, 21 Nov 1997 09:55:06 GMT +0200") == "Fri, 21 Nov 1997 09:55:06 +0200");
  CHECK(read("Fri,21 Nov 1997 9:55:06PM -0600") == "Fri, 21 Nov 1997 21:55:06 -0600");
  CHECK(read("Fri, 21 Nov 1997 9:55:06 PM -0600") == "Fri, 21 Nov 1997 21:55:06 -0600");
  CHECK(read("Fri, 21 Nov 1997 09.55.06 +0000") == "Fri, 21 Nov 1997 09:55:06 +0000");
  CHECK(read("Friday, 21 Nov 1997 09:55 0100") == "Fri, 21 Nov 1997 09:55:00 +0100");
  CHECK(read("Fr, 21 Nov 1997 09:55:06 +0000") == "Fri, 21 Nov 1997 09:55:06 +0000");
  CHECK(read("Wed, 4 Apr 2001 13:19:00 -0700 (PDT),Wed, 4 Apr 2001 13:19:00 -0700  (PDT)") ==
        "Wed, 04 Apr 2001 13:19:00 -0700");
  CHECK(read("21 Nov 1997") == "Fri, 21 Nov 1997 00:00:00 +0000?");
  CHECK(read("31 Dec 2016 23:59:60 +0000") == "Sun, 01 Jan 2017 00:00:00 +0000");
}

TEST_CASE("what is no date is none") {
  for (const char* text :
       {"", "tomorrow", "32 Jan 2000 00:00 UT", "30 Feb 2000 00:00 UT", "1 Foo 2000 00:00 UT",
        "1 Jan 2000 24:00:00 UT", "1 Jan 2000 00:60 UT", "1 Jan", "Jan 2000", "1 Jan 99999 00:00",
        "-1 Jan 2000", "(1 Jan 2000)", "0 Jan 2000", "99999999999999999999 Jan 2000 00:00 UT",
        "1:2:3:4", "::", "1-2", "-", "+"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text));
  }
}

TEST_CASE("a zone out of range is an unknown one") {
  CHECK(read("1 Jan 2000 00:00:00 +9999") == "Sat, 01 Jan 2000 00:00:00 +0000?");
  CHECK(read("1 Jan 2000 00:00:00 +123456789") == "Sat, 01 Jan 2000 00:00:00 +0000?");
}

TEST_CASE("a long comment does not hide a date, endless words are not followed") {
  CHECK(read("21 Nov 1997 (" + repeat("x", 1 << 20) + ") 09:55:06 GMT") ==
        "Fri, 21 Nov 1997 09:55:06 +0000");
  CHECK(read(repeat("(", 1 << 20)) == "none");
  CHECK(read(repeat("Mon ", 1 << 18) + "1 Jan 2000") == "none");
}

TEST_CASE("IMAP date-times are strict and go round") {
  CHECK(parse_imap_date_time("17-Jul-1996 02:44:25 -0700") == DateTime{837596665, -420, true});
  CHECK(format_imap_date_time(837596665, -420) == "17-Jul-1996 02:44:25 -0700");
  CHECK(parse_imap_date_time(" 1-Jan-2000 00:00:00 +0000") == DateTime{946684800, 0, true});
  CHECK(parse_imap_date_time("01-Jan-2000 00:00:00 +0000") == DateTime{946684800, 0, true});
  CHECK(format_imap_date_time(946684800, 0) == " 1-Jan-2000 00:00:00 +0000");
  CHECK(parse_imap_date_time("01-jan-2000 00:00:00 +0000"));
  for (const char* text :
       {"", "1-Jan-2000 00:00:00 +0000", "01-Jan-2000 00:00:00 0000", "01-Jan-2000 00:00:00 +00:0",
        "01-Jan-2000 24:00:00 +0000", "31-Feb-2000 00:00:00 +0000", "01-Foo-2000 00:00:00 +0000",
        "01-Jan-2000T00:00:00 +0000", "01-Jan-2000 00:00:00 +2400", "01-Jan-2000 00:00:00 +000x",
        "  -Jan-2000 00:00:00 +0000", "01-Jan-2000 0a:00:00 +0000"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_imap_date_time(text));
  }
  CHECK(parse_imap_date("1-Feb-1994") == 8797);
  CHECK(parse_imap_date("01-Feb-1994") == 8797);
  CHECK_FALSE(parse_imap_date("1-Feb-94"));
  CHECK_FALSE(parse_imap_date("1 Feb 1994"));
  CHECK_FALSE(parse_imap_date("-Feb-1994"));
  CHECK_FALSE(parse_imap_date("1-Febr1994"));
}

TEST_CASE("dates are written for any zone, also before 1970") {
  CHECK(format_date(-1, 0) == "Wed, 31 Dec 1969 23:59:59 +0000");
  CHECK(format_date(0, -90) == "Wed, 31 Dec 1969 22:30:00 -0130");
  CHECK(format_date(951827696, 330) == "Tue, 29 Feb 2000 18:04:56 +0530");
}
