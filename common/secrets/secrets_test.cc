#include "common/secrets/secrets.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

class SecretFolder {
 public:
  const std::string& path() const { return folder_.path(); }
  std::string Write(const std::string& name, const std::string& key, const std::string& text, mode_t mode = 0600) {
    std::filesystem::create_directories(folder_.File(name));
    std::string file = folder_.File(name + "/" + key);
    std::ofstream(file, std::ios::binary) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }

 private:
  testing::TempDir folder_;
};

}  // namespace

TEST_CASE("a secret is the text of its file without the last line end, read anew each time") {
  SecretFolder folder;
  Secrets secrets(folder.path());
  folder.Write("bls", "token", "first\r\n");
  CHECK(secrets.Get({"bls", "token"}).value() == "first");
  folder.Write("bls", "token", " second \n\n");
  CHECK(secrets.Get({"bls", "token"}).value() == " second \n");
}

TEST_CASE("a secret file that every user may read is refused") {
  SecretFolder folder;
  std::string file = folder.Write("bls", "token", "hush", 0604);
  absl::Status status = Secrets(folder.path()).Get({"bls", "token"}).status();
  CHECK(Reason(status) == "SECRET_EXPOSED");
  CHECK(std::string(status.message()).find(file) != std::string::npos);
  CHECK(std::string(status.message()).find("hush") == std::string::npos);
}

TEST_CASE("a secret without a file comes from the environment, and names cannot leave the folder") {
  SecretFolder folder;
  folder.Write("outer", "key", "outside");
  std::filesystem::create_directories(folder.path() + "/inner");
  Secrets secrets(folder.path() + "/inner");
  absl::Status missing = secrets.Get({"../outer", "key"}).status();
  CHECK(Reason(missing) == "SECRET_NOT_FOUND");
  CHECK(std::string(missing.message()).find("CHARTLY_SECRET____OUTER_KEY") != std::string::npos);
  ::setenv("CHARTLY_SECRET_A_B_TOKEN", "from the environment", 1);
  CHECK(secrets.Get({"a-b", "token"}).value() == "from the environment");
  ::unsetenv("CHARTLY_SECRET_A_B_TOKEN");
  CHECK(Reason(secrets.Get({"a-b", "token"}).status()) == "SECRET_NOT_FOUND");
}

}  // namespace chartly
