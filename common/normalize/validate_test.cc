#include "common/normalize/validate.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "common/normalize/normalizer.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> YamlFiles(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(CHARTLY_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("faults of filter, functions and types are told with their place") {
  std::vector<fs::path> files = YamlFiles("common/normalize/testdata");
  CHECK(files.size() >= 8);
  for (const fs::path& path : files) {
    INFO(path.filename().string());
    std::string expected = ReadFile(fs::path(path).replace_extension(".expected"));
    ProfileParseResult result = ValidateProfile(ReadFile(path));
    CHECK(FormatFaults(path.filename().string(), result.faults) + "\n" == expected);
    for (const ProfileFault& fault : result.faults) CHECK(fault.reason.compare(0, 8, "PROFILE_") == 0);
    absl::Status status = ValidateProfileOrError("x.yaml", ReadFile(path)).status();
    CHECK(Reason(status) == "PROFILE_INVALID");
  }
}

TEST_CASE("every profile that comes with the project is good and says who, what and how often") {
  std::vector<fs::path> files = YamlFiles("profiles");
  CHECK(files.size() >= 12);
  for (const fs::path& path : files) {
    INFO(path.string());
    absl::StatusOr<Profile> profile = ValidateProfileOrError(path.filename().string(), ReadFile(path));
    REQUIRE_OK(profile);
    CHECK_OK(Normalizer::Create(*profile));
    CHECK(profile->id == path.stem().string());
    CHECK(profile->description.size() > 40);
    CHECK(profile->freshness > absl::ZeroDuration());
    CHECK_FALSE(profile->key.empty());
    CHECK(profile->labels["set"] == path.parent_path().filename().string());
    if (profile->source.type != SourceType::kFile) continue;
    CHECK(fs::exists(fs::path(CHARTLY_SOURCE_DIR) / "profiles" / profile->source.path));
  }
}

TEST_CASE("the profiles of the parser's tests pass whole") {
  for (const fs::path& path : YamlFiles("common/profile/testdata/good")) {
    INFO(path.string());
    CHECK_OK(ValidateProfileOrError(path.filename().string(), ReadFile(path)));
  }
}

TEST_CASE("the example of the reference page is a good profile") {
  std::string page = ReadFile(fs::path(CHARTLY_SOURCE_DIR) / "docs/formats/profile.md");
  size_t start = page.find("```yaml\n") + 8;
  CHECK_OK(ValidateProfileOrError("profile.md", page.substr(start, page.find("```\n", start) - start)));
}

TEST_CASE("the texts of the YAML test suite never break the validation") {
  fs::path suite = fs::path(CHARTLY_SOURCE_DIR) / "../shared/conformance/yaml";
  if (!fs::exists(suite)) {
    std::cout << "skipped: " << suite.string() << " is not there\n";
    return;
  }
  for (const auto& entry : fs::recursive_directory_iterator(suite)) {
    if (entry.path().filename() == "in.yaml") CHECK_FALSE(ValidateProfile(ReadFile(entry.path())).ok());
  }
}

}  // namespace chartly
