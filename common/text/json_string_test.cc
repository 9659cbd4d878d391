#include "common/text/json_string.h"

#include "test/support/test.h"

namespace chartly {
namespace {

TEST_CASE("JSON text is valid whatever the bytes are") {
  std::string out;
  AppendJsonString(out, std::string("a\"\\\n\x01\x7F\xFF\xC3\xA9\xED\xA0\x80\xF0\x9F\x98\x80", 16));
  CHECK(out ==
        "\"a\\\"\\\\\\n\\u0001\\u007f\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80\"");
}

}  // namespace
}  // namespace chartly
