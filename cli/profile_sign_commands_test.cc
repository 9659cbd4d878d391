#include <filesystem>

#include "absl/strings/str_replace.h"
#include "cli/command_fixture_test.h"
#include "cli/profile_folder.h"
#include "common/crypto/key_file.h"
#include "common/profile/profile_parser.h"

namespace chartly::cli {
namespace {

TEST_CASE("keygen and sign need no server, and what they write verifies") {
  testing::TempDir dir;
  const std::string file = WriteFile(dir.File("people.yaml"), kGoodProfile);
  REQUIRE(Chartly({"profile", "keygen", dir.File("key")}).code == 0);
  CHECK(Contains(Chartly({"profile", "keygen", dir.File("key")}).err, "KEY_FILE_EXISTS"));
  CommandResult done =
      Chartly({"profile", "sign", "--key", dir.File("key"), "--counter", "7", "--valid-for", "1d", file});
  INFO(done.err);
  REQUIRE(done.code == 0);
  auto text = ReadTextFile(file + kSignatureSuffix);
  REQUIRE_OK(text);
  auto all = ParseSignatureFile("people.yaml.sig", *text);
  REQUIRE_OK(all);
  REQUIRE(all->size() == 1);
  CHECK(all->front().statement.counter == 7);
  auto keys = ReadPublicKeys(dir.File("key") + ".pub");
  REQUIRE_OK(keys);
  v1::ProfileSignature found;
  CHECK_OK(VerifyProfile(*keys, "people", ContentHash(kGoodProfile), {all->front().signature}, absl::Now(), found));
}

TEST_CASE("a second key adds its signature, the same key replaces its own, another text drops all") {
  testing::TempDir dir;
  const std::string file = WriteFile(dir.File("people.yaml"), kGoodProfile);
  for (const char* key : {"one", "two"}) REQUIRE(Chartly({"profile", "keygen", dir.File(key)}).code == 0);
  auto signatures_after = [&](const char* key) {
    REQUIRE(Chartly({"profile", "sign", "--key", dir.File(key), dir.path()}).code == 0);
    return ParseSignatureFile("sig", *ReadTextFile(file + kSignatureSuffix))->size();
  };
  CHECK(signatures_after("one") == 1);
  CHECK(signatures_after("one") == 1);
  CHECK(signatures_after("two") == 2);
  WriteFile(file, absl::StrReplaceAll(kGoodProfile, {{"1.0.0", "1.1.0"}}));
  CommandResult refused = Chartly({"profile", "apply", file}, {{"CHARTLY_KEY", "k"}});
  CHECK(refused.code == 2);
  CHECK(Contains(refused.err, "SIGNATURE_OF_ANOTHER"));
  CHECK(signatures_after("two") == 1);
}

TEST_CASE("a folder gives its profiles in order of name, without what is hidden") {
  testing::TempDir dir;
  std::filesystem::create_directories(dir.File("sub"));
  std::filesystem::create_directories(dir.File(".git"));
  for (const char* name : {"b.yaml", "a.yml", "sub/c.yaml", ".git/d.yaml", ".hidden.yaml", "notes.txt", "a.yml.sig"}) {
    WriteFile(dir.File(name), "x");
  }
  auto files = FindProfileFiles({dir.path()});
  REQUIRE_OK(files);
  CHECK(*files == std::vector<std::string>{dir.File("a.yml"), dir.File("b.yaml"), dir.File("sub/c.yaml")});
  CHECK(FindProfileFiles({dir.File("absent")}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(FindOrigin(dir.path()).is_null());
}

}  // namespace
}  // namespace chartly::cli
