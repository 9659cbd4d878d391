#include "common/crypto/key_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 0777;
}

}  // namespace

TEST_CASE("a private key is made once, for its owner alone, and never overwritten") {
  testing::TempDir dir;
  const std::string path = dir.File("keys/audit.pem");
  auto key = ReadOrMakePrivateKey(path);
  REQUIRE_OK(key);
  CHECK(ModeOf(path) == 0600);
  auto again = ReadOrMakePrivateKey(path);
  REQUIRE_OK(again);
  CHECK(again->public_key() == key->public_key());
  CHECK(Reason(WritePrivateKey(path, *PrivateKey::Generate())) == "KEY_FILE_EXISTS");
  CHECK(ReadPrivateKey(path)->public_key() == key->public_key());
}

TEST_CASE("a private key that others may read is refused") {
  testing::TempDir dir;
  const std::string path = dir.File("k.pem");
  REQUIRE_OK(ReadOrMakePrivateKey(path));
  ::chmod(path.c_str(), 0640);
  absl::Status status = ReadPrivateKey(path).status();
  CHECK(Reason(status) == "KEY_FILE_OPEN");
  CHECK(testing::Says(status, "chmod 600 " + path));
}

TEST_CASE("of many that start at once all get one key") {
  testing::TempDir dir;
  const std::string path = dir.File("k.pem");
  std::vector<std::string> ids(8);
  std::vector<std::thread> threads;
  for (std::string& id : ids) threads.emplace_back([&] { id = ReadOrMakePrivateKey(path)->public_key().id(); });
  for (std::thread& thread : threads) thread.join();
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a file of trusted keys holds one or more") {
  testing::TempDir dir;
  auto first = PrivateKey::Generate();
  auto second = PrivateKey::Generate();
  REQUIRE_OK(WritePublicKey(dir.File("one.pem"), first->public_key()));
  CHECK(ModeOf(dir.File("one.pem")) == 0644);
  std::ofstream(dir.File("two.pem")) << "# of the registry\n"
                                     << first->public_key().Pem() << "and\n"
                                     << second->public_key().Pem();
  CHECK(ReadPublicKeys(dir.File("one.pem"))->size() == 1);
  auto keys = ReadPublicKeys(dir.File("two.pem"));
  REQUIRE_OK(keys);
  REQUIRE(keys->size() == 2);
  CHECK((*keys)[0] == first->public_key());
  CHECK((*keys)[1] == second->public_key());
}

TEST_CASE("a file that holds no key says so with its name") {
  testing::TempDir dir;
  const std::string path = dir.File("k.pem");
  CHECK(Reason(ReadPublicKeys(path).status()) == "KEY_FILE_FAILED");
  CHECK(Reason(ReadPrivateKey(path).status()) == "KEY_FILE_FAILED");
  std::ofstream(path) << "hush";
  ::chmod(path.c_str(), 0600);
  CHECK(Reason(ReadPublicKeys(path).status()) == "KEY_FILE_INVALID");
  absl::Status status = ReadPrivateKey(path).status();
  CHECK(Reason(status) == "KEY_FILE_INVALID");
  CHECK(testing::Says(status, path));
  std::ofstream(path) << PrivateKey::Generate()->public_key().Pem() << "-----BEGIN PUBLIC KEY-----\nx\n";
  CHECK(testing::Says(ReadPublicKeys(path).status(), "key 2"));
}

}  // namespace chartly
