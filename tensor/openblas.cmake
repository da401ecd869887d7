# tk::openblas: OpenBLAS in its OpenMP variant, for the build and for projects that link our static libraries. The pthread
# variant is nearly three times slower inside OpenMP regions. All variants share one soname, so the folder goes into the
# run path too.
find_path(TK_OPENBLAS_INCLUDE cblas.h
  HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp PATH_SUFFIXES openblas REQUIRED)
find_library(TK_OPENBLAS_LIBRARY openblas
  HINTS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp REQUIRED)
mark_as_advanced(TK_OPENBLAS_INCLUDE TK_OPENBLAS_LIBRARY)
get_filename_component(tk_openblas_folder ${TK_OPENBLAS_LIBRARY} DIRECTORY)

if(NOT TARGET tk::openblas)
  add_library(tk::openblas UNKNOWN IMPORTED)
  set_target_properties(tk::openblas PROPERTIES
    IMPORTED_LOCATION ${TK_OPENBLAS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${TK_OPENBLAS_INCLUDE}
    INTERFACE_LINK_OPTIONS -Wl,-rpath,${tk_openblas_folder})
endif()
unset(tk_openblas_folder)
