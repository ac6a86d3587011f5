#include "files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "fault.h"

namespace sut {

std::string read_text(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (std::filesystem::is_directory(path)) errno = EISDIR;
    if (!file || errno == EISDIR || !(file.peek() == EOF || text << file.rdbuf()))
        throw bad_input(path, std::string("cannot be read: ") + std::strerror(errno != 0 ? errno : EIO));
    return text.str();
}

nlohmann::json read_json_object(const std::string& path) {
    nlohmann::json found;
    try {
        found = nlohmann::json::parse(read_text(path));
    } catch (const nlohmann::json::exception& error) {
        throw bad_input(path, std::string("is not JSON: ") + error.what());
    }
    if (!found.is_object()) throw bad_input(path, "is not a JSON object");
    return found;
}

void write_text(const std::string& path, const std::string& text) {
    const std::filesystem::path target(path);
    const auto temporary = target.parent_path() / ("." + target.filename().string() + ".tmp");
    {
        std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
        file << text;
        file.close();
        if (!file) throw Fault(path + ": cannot be written: " + std::strerror(errno));
    }
    std::filesystem::rename(temporary, target);
}

void check_output_folder(const std::string& path) {
    if (!std::filesystem::is_directory(path)) throw bad_input(path, "the output folder does not exist");
    if (access(path.c_str(), W_OK | X_OK) != 0) throw bad_input(path, "the output folder cannot be written");
}

std::string joined(const std::string& folder, const std::string& name) {
    return (std::filesystem::path(folder) / name).string();
}

}  // namespace sut
