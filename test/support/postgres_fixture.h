// A PostgreSQL server of its own for a test: made in a temporary folder, on a free port of loopback, run by a user
// without privileges, ended with the object. No product code in it.
//
//   if (PostgresFixture::Missing()) return;   // says why on stdout
//   PostgresFixture server;
//   server.Sql("CREATE TABLE t (a int)");     // as the superuser, in the database postgres
//
// There is a user `reader` with the password kReaderPassword. TLS is on, with a certificate for the name localhost.
#ifndef CHARTLY_TEST_SUPPORT_POSTGRES_FIXTURE_H_
#define CHARTLY_TEST_SUPPORT_POSTGRES_FIXTURE_H_

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "test/support/held_port.h"
#include "test/support/test.h"

namespace chartly::testing {

class PostgresFixture {
 public:
  static constexpr char kReaderPassword[] = "correct horse";

  static bool Missing() {
    if (!BinFolder().empty()) return false;
    std::cout << "skipped: no PostgreSQL server is installed (Debian package postgresql)\n";
    return true;
  }

  PostgresFixture() {
    if (::geteuid() == 0) GiveToUser();
    std::ofstream(dir_.File("password")) << "superuser";
    MakeCertificates();
    Own("password ca.pem server.pem server.key");
    Run(Command({BinFolder() + "/initdb", "-N", "-D", Data(), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A",
                 "scram-sha-256", "--pwfile", dir_.File("password")}));
    Start();
    Sql("CREATE ROLE reader LOGIN PASSWORD '" + std::string(kReaderPassword) + "'");
  }
  ~PostgresFixture() { Stop(); }
  PostgresFixture(const PostgresFixture&) = delete;
  PostgresFixture& operator=(const PostgresFixture&) = delete;

  int port() const { return port_.number(); }
  // PEM of the authority that signed the server's certificate.
  std::string Authority() const {
    std::ifstream file(dir_.File("ca.pem"));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  void Sql(const std::string& text) { Run(Psql({"-c", text})); }
  // The first cell of what a query gives.
  std::string Ask(const std::string& query) {
    Run(Psql({"-At", "-c", query}));
    std::ifstream file(dir_.File("output"));
    std::string line;
    std::getline(file, line);
    return line;
  }

  // Ends the server at once, as a crash would.
  void Stop() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGQUIT);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void Start() {
    pid_ =
        Spawn(Command({BinFolder() + "/postgres", "-D", Data(), "-k", dir_.path(), "-p", std::to_string(port()), "-c",
                       "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "ssl=on", "-c",
                       "ssl_cert_file=" + dir_.File("server.pem"), "-c", "ssl_key_file=" + dir_.File("server.key")}));
    bool ready = Eventually([&] { return Succeeds(Psql({"-c", "SELECT 1"})); }, std::chrono::seconds(60));
    if (!ready) std::cerr << Output();
    REQUIRE(ready);
  }

 private:
  using Words = std::vector<std::string>;

  static std::string BinFolder() {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      if (std::filesystem::exists(entry.path() / "bin/initdb")) found.push_back((entry.path() / "bin").string());
    }
    return found.empty() ? "" : *std::max_element(found.begin(), found.end());
  }

  std::string Data() const { return dir_.File("data"); }

  // The server refuses to be run by root.
  void GiveToUser() {
    const passwd* user = ::getpwnam("nobody");
    REQUIRE(user != nullptr);
    uid_ = user->pw_uid;
    gid_ = user->pw_gid;
    REQUIRE(::chown(dir_.path().c_str(), uid_, gid_) == 0);
  }
  void Own(const std::string& names) {
    std::stringstream list(names);
    for (std::string name; list >> name;) {
      std::filesystem::permissions(dir_.File(name), std::filesystem::perms::owner_read);
      if (uid_ != 0) REQUIRE(::chown(dir_.File(name).c_str(), uid_, gid_) == 0);
    }
  }

  void MakeCertificates() {
    const Words key = {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"};
    Words authority = {"openssl",
                       "req",
                       "-x509",
                       "-subj",
                       "/CN=Chartly test authority",
                       "-keyout",
                       dir_.File("ca.key"),
                       "-out",
                       dir_.File("ca.pem")};
    authority.insert(authority.end(), key.begin(), key.end());
    Run(authority);
    Words server = {"openssl",
                    "req",
                    "-x509",
                    "-subj",
                    "/CN=db",
                    "-addext",
                    "subjectAltName=DNS:localhost",
                    "-CA",
                    dir_.File("ca.pem"),
                    "-CAkey",
                    dir_.File("ca.key"),
                    "-keyout",
                    dir_.File("server.key"),
                    "-out",
                    dir_.File("server.pem")};
    server.insert(server.end(), key.begin(), key.end());
    Run(server);
  }

  Words Command(Words words) const {
    if (uid_ == 0) return words;
    Words all = {"setpriv", "--reuid", std::to_string(uid_), "--regid", std::to_string(gid_), "--clear-groups"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Words Psql(const Words& words) const {
    Words all = {"env",
                 "PGPASSWORD=superuser",
                 BinFolder() + "/psql",
                 "-X",
                 "-h",
                 "127.0.0.1",
                 "-p",
                 std::to_string(port()),
                 "-U",
                 "postgres",
                 "-v",
                 "ON_ERROR_STOP=1",
                 "postgres"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }

  std::string Output() const {
    std::ifstream file(dir_.File("output"));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  pid_t Spawn(const Words& words) const {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const std::string output = dir_.File("output");
    const std::string folder = dir_.path();
    pid_t pid = ::fork();
    if (pid == 0) {
      int fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(fd, STDOUT_FILENO);
      ::dup2(fd, STDERR_FILENO);
      if (::chdir(folder.c_str()) == 0) ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    return pid;
  }
  bool Succeeds(const Words& words) const {
    int status = -1;
    ::waitpid(Spawn(words), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  void Run(const Words& words) const {
    if (!Succeeds(words)) FAIL(Output());
  }

  TempDir dir_;
  const HeldPort port_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  pid_t pid_ = -1;
};

}  // namespace chartly::testing

#endif  // CHARTLY_TEST_SUPPORT_POSTGRES_FIXTURE_H_
