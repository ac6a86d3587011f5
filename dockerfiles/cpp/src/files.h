// The few ways in which the harness touches files.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sut {

// A whole file; a Fault (exit 2) names it and the reason why it cannot be read.
std::string read_text(const std::string& path);

// A JSON object; a Fault (exit 2) where the file is something else.
nlohmann::json read_json_object(const std::string& path);

// Replaces a file in one step.
void write_text(const std::string& path, const std::string& text);

// Whether an existing folder can be written to; a Fault (exit 2) where not.
void check_output_folder(const std::string& path);

// Folder and name joined, unless the name is absolute.
std::string joined(const std::string& folder, const std::string& name);

}  // namespace sut
