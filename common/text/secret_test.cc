#include "common/text/secret.h"

#include <sstream>
#include <type_traits>

#include "test/support/test.h"

namespace chartly {
namespace {

TEST_CASE("a secret prints as redacted, does not become a text by itself, and leaves nothing behind") {
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
  Secret secret("chk_0123456789");
  std::stringstream out;
  out << secret << "," << Secret();
  CHECK(out.str() == "[redacted],");
  Secret moved = std::move(secret);
  CHECK(secret.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(moved.Reveal() == "chk_0123456789");
  secret = moved;
  CHECK(secret.Reveal() == moved.Reveal());
  secret = std::move(moved);
  CHECK(secret.Reveal() == "chk_0123456789");
  CHECK(moved.empty());
  const char* where = secret.Reveal().data();
  secret = Secret();
  CHECK(where[3] == 0);
}

}  // namespace
}  // namespace chartly
